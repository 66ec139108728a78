"""One installation for all end-to-end tests, which follow each other in it as versions do in a store."""

import e2e_place
import pytest


@pytest.fixture(scope="session")
def place():
    if missing := e2e_place.missing():
        pytest.skip(f"not in the environment: {', '.join(line.split(':')[0] for line in missing)}")
    return e2e_place.Place.from_environment()


@pytest.fixture(scope="session")
def versions(place, tmp_path_factory):
    """Folders of SavedModels, by their numbers: 1, 2 and 7 are good, 3 fails on dark images."""
    from sys import executable  # noqa: PLC0415

    from e2e_commands import run  # noqa: PLC0415 - with the place

    folder = tmp_path_factory.mktemp("zoo")
    numbers = (1, 2, 3, 7)
    options = [word for number in numbers for word in ("--version", number)]
    run(executable, "-m", "promoter.sandbox.model_zoo", "--output", folder, *options, timeout=300)
    return {number: folder / str(number) for number in numbers}


@pytest.fixture(scope="session")
def dying_versions(versions):
    """Folders of SavedModels that some requests kill, by the names in `e2e_models`."""
    from sys import executable  # noqa: PLC0415

    import e2e_models  # noqa: PLC0415 - with the place
    from e2e_commands import run  # noqa: PLC0415 - with the place

    folder = versions[1].parent / "dying"
    run(executable, e2e_models.__file__, versions[2], folder, timeout=300)
    return {name: folder / name for name in (e2e_models.NEEDS_MEMORY, e2e_models.DIES)}


@pytest.fixture(scope="session")
def installation(place, tmp_path_factory):
    from e2e_installation import Installation  # noqa: PLC0415 - with the place

    made = Installation(place, tmp_path_factory.mktemp("installation"))
    try:
        made.up()
        yield made
    finally:
        made.down()


@pytest.fixture(scope="session")
def history(installation):
    from e2e_history import History  # noqa: PLC0415 - with the place
    from e2e_routes import ROUTES  # noqa: PLC0415 - with the place

    place = installation.place
    routes = ROUTES[place.route_kind]
    watched = History(installation.name, place.argocd_namespace, installation.served.application, routes)
    watched.start()
    yield watched
    watched.stop()


@pytest.fixture(scope="session")
def serving(installation, history, versions):
    """The model, its first version stable and answering, and the promoter watching."""
    installation.start_promoter()
    installation.publish(versions[1], 1)
    installation.until(installation.release, lambda release: "stable" in release, 120, "version 1 becomes stable")
    installation.until(history.is_well, bool, 170, "the Application is Synced and Healthy")
    return installation


@pytest.fixture(scope="session")
def client(serving):
    from e2e_client import Client, first_answer_of  # noqa: PLC0415 - with the place

    from promoter.domain.version import ModelVersion  # noqa: PLC0415

    first_answer_of(serving, ModelVersion(1), seconds=100)
    sends = Client(serving)
    yield sends
    sends.stop()


@pytest.fixture
def course(serving, history, client):
    """What happens from here on."""
    from e2e_course import Course  # noqa: PLC0415 - with the place

    return Course(serving, history, client)


def pytest_collection_modifyitems(items):
    """In the order in which versions follow each other: what one file leaves the next one begins with."""
    order = (
        # Before the installation that the others share: these want a cluster that serves no models.
        "test_installation_by_the_document.py",
        "test_people_merge_on_a_forge.py",
        "test_verdict_to_traffic.py",
        "test_whole_loop.py",
        "test_faults_on_a_cluster.py",
        "test_faults_of_the_cluster.py",
        "test_versions_that_die.py",
    )
    ours = [item for item in items if item.path.name in order]
    items[:] = [item for item in items if item not in ours] + sorted(ours, key=lambda item: order.index(item.path.name))
