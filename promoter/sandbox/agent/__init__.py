"""The sync agent: one process in the place of Argo CD, Kubernetes and Istio's control plane.

It reads the Git remote, renders the real chart, runs the Deployments' pods as processes, writes Envoy's and
Prometheus' configuration, and answers the part of Argo CD's REST API that the promoter reads. Linux only: every
pod gets an address of its own in 127.0.0.0/8.

The rooms, from Git to the pods:

    repository → render → resources             what a commit asks for
    pod_template, services, routes, monitors    manifests become values (pure)
    desired                                     one Application's manifests, checked as one (pure)
    rollout, probes, pod_folder                 what to start and stop, who is ready, what a pod sees
    workloads → deployments → pods → processes  Deployments become processes
    mesh, envoy → proxy                         values become Envoy's files, make before break
    scrape → prometheus                         values become Prometheus' files
    status, health, live, tree, answers         what Argo CD would say (pure)
    application → agent → board → server        one Application, all of them, and the REST API
"""
