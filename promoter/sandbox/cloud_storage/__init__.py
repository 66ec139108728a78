"""The sandbox's bucket: Cloud Storage on this machine, reached by Google's own client through STORAGE_EMULATOR_HOST.

The rooms:

    bucket      which bucket of which emulator a sandbox uses (pure but for one question to the emulator)
    emulator    the server: gcp-storage-emulator, with what it lacks of the documented API
    __main__    the server as a program

A person's own emulator, such as fake-gcs-server, may stand in its place.
"""
