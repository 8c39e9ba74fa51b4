program = """
dim k = 2
dim g
data K[k, k']: cov
data w[g, k]: simplex
data cut[g]: ordered
data L[k, k']: corr_cholesky
data R[k, k']: corr
data m[g]: real

x[k] ~ MultivariateNormal(covariance_matrix = K)
m[g] ~ Normal(w @ x + cut, 1)
"""
data = {
    "K": [[1, 0], [0, 1]],
    "w": [[0.5, 0.5], [0.1, 0.9]],
    "cut": [1, 2],
    "L": [[1, 0], [0, 1]],
    "R": [[4, 0], [0, 1]],
    "m": [0, 1],
}
