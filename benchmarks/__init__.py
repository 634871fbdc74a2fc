"""The benchmarks: every figure is a ratio of two times measured in one run, or a size. `make bench` runs them."""
