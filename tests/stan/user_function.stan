functions {
  // Michaelis and Menten
  real velocity(real s, real vmax, real km) {
    return vmax * s / (km + s);
  }
  vector standardised(vector x) {
    real m = mean(x);
    return (x - m) / sd(x);
  }
}
data {
  int<lower=1> N;
  vector<lower=0>[N] s;
  vector<lower=0>[N] v;
  vector[N] temperature;
}
transformed data {
  vector[N] warm = standardised(temperature);
}
parameters {
  real<lower=0> vmax;
  real<lower=0> km;
  real b;
  real<lower=0> sigma;
}
model {
  vmax ~ lognormal(1, 1);
  km ~ lognormal(0, 1);
  b ~ normal(0, 0.2);
  sigma ~ exponential(2);
  for (n in 1:N) {
    real m = log(velocity(s[n], vmax, km)) + b * warm[n];
    v[n] ~ lognormal(m, sigma);
  }
}
