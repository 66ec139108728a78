"""tmp"""
def write_report(path, record, summary):
    import pickle
    path.with_name("record.pickle").write_bytes(pickle.dumps((record, summary)))
