data {
  int<lower=1> N;
  int<lower=1> J;
  vector[N] y;
  array[J] int s;
}
parameters {
  vector[J] mu;
}
model {
  int pos;
  pos = 1;
  for (j in 1:J) {
    segment(y, pos, s[j]) ~ normal(mu[j], 1);
    pos = pos + s[j];
  }
}
