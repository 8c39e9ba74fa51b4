data {
  int<lower=1> N;
  array[N] vector[2] y;
  cov_matrix[2] S;
}
parameters {
  real m1;
  real m2;
}
model {
  y ~ multi_normal([m1, m2]', S);
}
