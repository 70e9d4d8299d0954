"""Every gRPC service, with all rules, permissions and transactions: rpc → operations → storage → domain."""
