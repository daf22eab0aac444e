"""``python -m benchmarks``: every benchmark that needs no simulations, one after the other."""

from benchmarks import cluster, dynamics, frames, hrtem, series, tracking

if __name__ == "__main__":
    frames.main()
    hrtem.main()
    series.main()
    cluster.main()
    dynamics.main([])
    tracking.main(["--seeds", "2"])
