"""The sandbox: what a script sees (`command`), what it may use (`cgroup`, `rlimit`), its life and death (`process`)."""
