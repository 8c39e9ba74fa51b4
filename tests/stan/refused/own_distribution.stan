functions {
  real shifted_lpdf(real y, real mu) {
    return -abs(y - mu);
  }
}
data {
  real y;
}
parameters {
  real mu;
}
model {
  y ~ shifted(mu);
}
