"""What server and executor share: tables, database, queue, log stream, execution lifecycle, errors, cipher, settings.

Nothing here knows gRPC or HTTP, and nothing here imports `server`, `executor`, `gateway` or `cli`.
"""
