"""A cluster on one machine: sync agent, model servers, proxy, metrics, traffic. The promoter runs unchanged in it."""
