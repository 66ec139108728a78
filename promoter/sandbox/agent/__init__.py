"""The sync agent: one process in the place of Argo CD, Kubernetes and Istio's control plane.

It reads the Git remote, renders the real chart, runs the Deployments' pods as processes, writes Envoy's and
Prometheus' configuration, and answers the part of Argo CD's REST API that the promoter reads. Linux only: every
pod gets an address of its own in 127.0.0.0/8.

The rooms, from Git to the pods:

    repository → render → resources          what a commit asks for
    pod_template, services, routes, monitors  manifests become values (pure)
    desired                                   one Application's manifests, checked as one
    rollout, deployments → pods → processes   Deployments become processes; probes say who is ready
    mesh, envoy → proxy                       values become Envoy's files, make before break
    prometheus                                values become Prometheus' files
    status, health, tree                      what Argo CD would say (pure)
    application → cluster → server            the state of one Application, of all, and its REST API
"""
