program = """
dim part = 3
dim sample
data share[sample, part]: real?
a[part] ~ LogNormal(0, 1)
share[sample, part] ~ Dirichlet(a)
"""
data = {"share": [[0.2, 0.3, 0.5], [0.1, None, 0.4]]}
