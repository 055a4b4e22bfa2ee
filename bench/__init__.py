"""The benchmarks: the product side by side with what it is compared to (docs/benchmarks.md)."""
