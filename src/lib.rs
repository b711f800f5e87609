//! vecferry moves Milvus and Zilliz Cloud collections between clusters from YAML plan files.
