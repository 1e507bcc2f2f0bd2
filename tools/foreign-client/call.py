"""Calls stages of `mbs serve` from Python: no code of this project, only pyarrow and the public protos.

usage: python call.py grpc://127.0.0.1:8815 MODEL CORPUS     (MODEL and CORPUS by name under the server's roots)
       python call.py grpcs://localhost:8815 MODEL CORPUS --ca ca.pem --token-file ci.token
"""

import argparse
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.flight as flight

from mbs.v1 import stage_pb2


def option(value):
    """A StageCall option by the type of its value."""
    if isinstance(value, bool):
        return stage_pb2.Value(flag=value)
    if isinstance(value, (int, float)):
        return stage_pb2.Value(number=value)
    return stage_pb2.Value(text=value)


def send(writer, table):
    """Writes the input of a call. A refused call ends its writer; its reader learns why."""
    try:
        # A stage without input still needs a first message to carry the call.
        writer.begin(pa.schema([]) if table is None else table.schema)
        for batch in [] if table is None else table.to_batches():
            writer.write_batch(batch)
        writer.done_writing()
    except (pa.ArrowException, flight.FlightError):
        pass


def refusal(work):
    """The error of a call that must fail."""
    try:
        work()
    except (pa.ArrowException, flight.FlightError) as error:
        told = str(error).split("with message: ")[-1].split(". gRPC client debug context")[0]
        return f"{type(error).__name__}: {told}"
    raise SystemExit("a wrong call was served")


def connect(location, ca, token_file):
    """A client, and the options that every call takes."""
    headers = [] if token_file is None else [(b"authorization", b"Bearer " + Path(token_file).read_bytes().strip())]
    if location.startswith("grpcs://"):
        client = flight.connect(location.replace("grpcs://", "grpc+tls://"), tls_root_certs=Path(ca).read_bytes())
    else:
        client = flight.connect(location.replace("grpc://", "grpc+tcp://"))
    return client, flight.FlightCallOptions(headers=headers)


def call(client, given, stage, table=None, **options):
    """Runs a stage: `table` is its first input, `given` the options of the call; returns its first output and what the server says of it."""
    request = stage_pb2.StageCall(stage=stage, threads=1, options={k: option(v) for k, v in options.items()})
    descriptor = flight.FlightDescriptor.for_command(request.SerializeToString())
    writer, reader = client.do_exchange(descriptor, given)
    # Beside the reading: a stage answers before it has read all, and waits until its answer is taken.
    sending = threading.Thread(target=send, args=(writer, table))
    sending.start()
    batches, result = [], stage_pb2.StageResult()
    try:
        for chunk in reader:
            if chunk.data is not None:
                batches.append(chunk.data)
            elif chunk.app_metadata is not None:
                result.ParseFromString(chunk.app_metadata.to_pybytes())
    finally:
        sending.join()
    return pa.Table.from_batches(batches, reader.schema), result


def main(location, model, corpus, ca, token_file):
    client, given = connect(location, ca, token_file)
    listed = stage_pb2.StageList()
    listed.ParseFromString(next(client.do_action("list-stages", given)).body.to_pybytes())
    print("stages:", ", ".join(stage.name for stage in listed.stages))

    segments, result = call(client, given, "sample", model=model, corpus=corpus, mix="equal", segments=24, length=64)
    print(f"sample: {segments.num_rows} segments, {len(set(segments['language'].to_pylist()))} languages, {result.address[:12]}…")
    statistics, result = call(client, given, "capture", segments, model=model)
    print(f"capture: {statistics.num_rows} rows, {statistics.nbytes / 1e6:.1f} MB, {result.address[:12]}…")
    similarities, result = call(client, given, "similarity", statistics)
    cosines = [row for row in similarities.to_pylist() if row["measure"] == "cosine"]
    nearest = max(cosines, key=lambda row: row["value"])
    print(f"similarity: {nearest['first']} and {nearest['second']} are nearest, cosine {nearest['value']:.3f}, {result.address[:12]}…")

    # The same artifact by DoPut and DoGet: its address is its ticket.
    writer, metadata = client.do_put(flight.FlightDescriptor.for_path("similarity"), similarities.schema, given)
    for batch in similarities.to_batches():
        writer.write_batch(batch)
    writer.done_writing()
    address = metadata.read().to_pybytes().decode()
    writer.close()
    assert address == result.address, (address, result.address)
    assert client.do_get(flight.Ticket(address), given).read_all().equals(similarities)
    for info in client.list_flights(b"", given):
        print(f"stored: {info.descriptor.path[0].decode()[:12]}…, {info.total_records} rows, {info.app_metadata.decode()}")

    for wrong in ("../../etc/passwd", "0" * 64):
        print("refused:", refusal(lambda: client.do_get(flight.Ticket(wrong), given).read_all()))
    print("refused:", refusal(lambda: call(client, given, "no-such-stage", statistics)))
    print("refused:", refusal(lambda: call(client, given, "factor", statistics, damping="much")))
    print("refused:", refusal(lambda: call(client, given, "capture", segments, model="../controlled-bloom")))


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    for word in ("location", "model", "corpus"):
        parser.add_argument(word)
    parser.add_argument("--ca", help="authority of the server's certificate, PEM")
    parser.add_argument("--token-file", help="file with the token")
    main(**vars(parser.parse_args()))
