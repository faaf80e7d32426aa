"""The stand-in's batch files: uploaded, worked through line by line, and fetched."""

import orjson
from aiohttp import web

from kdos.llm.stand_in import MockServer, error_response, json_response

LOOKS = 2  # how often a batch says that it is in progress before it is done


class Batches:
    """Files and batches beside a stand-in's chat; a row meets its faults as a chat does."""

    def __init__(self, stand_in: MockServer) -> None:
        self.stand_in = stand_in
        self.files: dict[str, bytes] = {}
        self.batches: dict[str, dict[str, object]] = {}
        self.looks: dict[str, int] = {}

    def app(self) -> web.Application:
        """The stand-in's application with batches."""
        app = self.stand_in.build_app()
        app.router.add_post("/v1/files", self.upload)
        app.router.add_get("/v1/files/{name}/content", self.content)
        app.router.add_post("/v1/batches", self.submit)
        app.router.add_get("/v1/batches/{name}", self.look)
        return app

    async def upload(self, request: web.Request) -> web.Response:
        """Take a file."""
        form = await request.post()
        field = form["file"]
        assert isinstance(field, web.FileField)
        return json_response({"id": self.store(field.file.read()), "object": "file"})

    async def content(self, request: web.Request) -> web.Response:
        """Give a file."""
        raw = self.files.get(request.match_info["name"])
        return error_response(404, "No such file.") if raw is None else web.Response(body=raw)

    async def submit(self, request: web.Request) -> web.Response:
        """Take a batch."""
        asked = await request.json()
        name = f"batch-{len(self.batches) + 1}"
        self.batches[name] = {"id": name, "status": "validating", **asked}
        self.looks[name] = 0
        return json_response(self.batches[name])

    async def look(self, request: web.Request) -> web.Response:
        """Say how far a batch is; it is done after some looks."""
        name = request.match_info["name"]
        batch = self.batches.get(name)
        if batch is None:
            return error_response(404, "No such batch.")
        self.looks[name] += 1
        if self.looks[name] <= LOOKS:
            batch["status"] = "in_progress"
        elif batch["status"] != "completed":
            self.work_through(request, batch)
        return json_response(batch)

    def work_through(self, request: web.Request, batch: dict[str, object]) -> None:
        """Answer every row of a batch into its two files."""
        good: list[bytes] = []
        bad: list[bytes] = []
        for line in self.files[str(batch["input_file_id"])].splitlines():
            row = orjson.loads(line)
            response = self.stand_in.answer_batch_row(request, orjson.dumps(row["body"]))
            if response is None:
                continue  # lost, as when a batch expires
            answer = {"status_code": response.status, "body": orjson.Fragment(as_bytes(response))}
            done = orjson.dumps({"custom_id": row["custom_id"], "response": answer, "error": None})
            (good if response.status == 200 else bad).append(done)
        batch |= {"status": "completed", "output_file_id": self.store(b"\n".join(good))}
        if bad:
            batch["error_file_id"] = self.store(b"\n".join(bad))

    def store(self, raw: bytes) -> str:
        """Keep a file; gives its name."""
        name = f"file-{len(self.files) + 1}"
        self.files[name] = raw
        return name


def as_bytes(response: web.Response) -> bytes:
    """The body of a response."""
    assert isinstance(response.body, bytes)
    return response.body
