program = """
dim node
data parent[node]: index(node)
theta[0] ~ Normal(0, 1)
for n in node[1:] {
  theta[n] ~ Normal(theta[parent[n]], 1)
}
"""
data = {"parent": [0, 0, 4, 1, 3]}
