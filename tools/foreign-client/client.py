"""A client of `mbs serve` that is none of ours: pyarrow.flight for the transport, protoc's code for the call.

Lists the stages, puts an artifact and gets it back, runs two stages over it, and is refused where it must be.
"""

import argparse
import threading

import pyarrow as pa
import pyarrow.flight as flight

import stage_pb2


def list_stages(client):
    (result,) = client.do_action(flight.Action("list-stages", b""))
    for stage in stage_pb2.StageList.FromString(result.body.to_pybytes()).stages:
        inputs = " or ".join(kind for entry in stage.inputs[:1] for kind in entry.kinds) or "nothing"
        print(f"  {stage.name}: {inputs} → {stage.outputs[0].kind}, {len(stage.options)} options")


def put(client, path):
    """Sends a stored artifact as it is read, its end too; returns the address that the server gave it."""
    with pa.ipc.open_stream(path) as reader:
        writer, answers = client.do_put(flight.FlightDescriptor.for_path(), reader.schema)
        for batch in reader:
            writer.write_batch(batch)
        writer.done_writing()
        address = answers.read().to_pybytes().decode()
        writer.close()
    return address


def send(writer, path):
    """Writes a stored artifact into a call. A refused call ends its writer; the reader learns why."""
    try:
        with pa.ipc.open_stream(path) as source:
            writer.begin(source.schema)
            for batch in source:
                writer.write_batch(batch)
        writer.done_writing()
    except (pa.ArrowException, flight.FlightError):
        pass


def exchange(client, call, path):
    """Runs a stage over a stored artifact; returns its output and its result."""
    writer, reader = client.do_exchange(flight.FlightDescriptor.for_command(call.SerializeToString()))
    # Beside the reading: a stage may answer before it has read all, and waits until its answer is taken.
    sending = threading.Thread(target=send, args=(writer, path))
    sending.start()
    batches, result = [], None
    try:
        for chunk in reader:
            if chunk.data is not None:
                batches.append(chunk.data)
            if chunk.app_metadata is not None:
                result = stage_pb2.StageResult.FromString(chunk.app_metadata.to_pybytes())
    finally:
        sending.join()
    return pa.Table.from_batches(batches, reader.schema), result


def refusal(work):
    """What a call that must fail is told."""
    try:
        work()
    except (pa.ArrowException, flight.FlightError) as error:
        told = str(error).split("with message: ")[-1].split(". gRPC client debug context")[0].split(". Client context")[0]
        return f"{type(error).__name__}: {told}"
    raise SystemExit("a wrong call was served")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifact", help="a statistics artifact, from mbs capture")
    parser.add_argument("--server", default="grpc://127.0.0.1:8815")
    arguments = parser.parse_args()
    client = flight.connect(arguments.server)

    print(f"pyarrow {pa.__version__}, {arguments.server}")
    print("stages:")
    list_stages(client)

    address = put(client, arguments.artifact)
    print(f"put: {address}")
    for info in client.list_flights():
        print(f"listed: {info.app_metadata.decode()}, {info.total_records} rows, {info.total_bytes} bytes")
    info = client.get_flight_info(flight.FlightDescriptor.for_path(address))
    table = client.do_get(info.endpoints[0].ticket).read_all()
    table.validate(full=True)
    print(f"got: {table.num_rows} rows of {', '.join(table.column_names)}")

    for name, options in (("similarity", {}), ("solve", {"damping": stage_pb2.Value(number=0.01)})):
        call = stage_pb2.StageCall(stage=name, options=options, threads=1)
        output, result = exchange(client, call, arguments.artifact)
        output.validate(full=True)
        kind = output.schema.metadata[b"mbs.kind"].decode()
        print(f"{name}: {output.num_rows} rows of {kind}, {len(result.warnings)} warnings")
        print(f"  address {result.address}")

    print("refused:")
    for wrong in (
        stage_pb2.StageCall(stage="no-such-stage"),
        stage_pb2.StageCall(stage="similarity", options={"measure": stage_pb2.Value(text="degrees")}),
        stage_pb2.StageCall(stage="solve", options={"damping": stage_pb2.Value(text="much")}),
    ):
        print("  " + refusal(lambda: exchange(client, wrong, arguments.artifact)))
    for ticket in (b"../secret", b"0" * 64):
        print("  " + refusal(lambda: client.do_get(flight.Ticket(ticket)).read_all()))


if __name__ == "__main__":
    main()
