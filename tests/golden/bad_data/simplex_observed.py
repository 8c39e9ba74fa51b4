program = """
dim k = 3
dim poll
data share[poll, k]: real

a ~ HalfNormal(1)
share[poll, k] ~ Dirichlet(a)
"""
data = {"share": [[0.2, 0.3, 0.5], [20, 30, 50]]}
