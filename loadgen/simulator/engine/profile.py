"""A server profile: what one version of a server does where servers differ."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

from loadgen.simulator.engine.answer import Payload, PayloadBuilder, Timings
from loadgen.simulator.engine.generation import Generation, RefusalError
from loadgen.simulator.engine.options import SimulatorOptions

NO_CONTENT: Final = (409, "the video is not completed")


@dataclass(frozen=True, slots=True)
class JobStatus:
    """A job at one moment; `timings` are known at its end, `error` is the status and message of a failure."""

    id: str
    state: str
    generation: Generation
    created_s: int
    timings: Timings | None
    error: tuple[int, str] | None


@dataclass(frozen=True, slots=True)
class Profile:
    """The choices of one server. Bodies are written by the functions; everything else is a value.

    `dialects` are the modules of `simulator/dialects/` that it speaks. `align` rounds sizes down, `frame_step` 4 rounds
    frames down to 4k+1. `wrong_kind` has the status and message of a route (`chat`, `generations`, `edits`, `videos`)
    on a server of a kind (`image`, `edit`, `video`); with `late_refusals` a job is created first, and fails.
    """

    name: str
    dialects: tuple[str, ...]
    error: Callable[[str, int], Payload]
    model_entry: Callable[[SimulatorOptions], Mapping[str, object]]
    completion: Callable[[Generation, SimulatorOptions], PayloadBuilder]
    images: Callable[[Generation, SimulatorOptions], PayloadBuilder]
    job: Callable[[JobStatus, SimulatorOptions], Mapping[str, object]]
    job_id: Callable[[int], str]
    deleted: Callable[[JobStatus, SimulatorOptions], Mapping[str, object]]
    health: Mapping[str, object] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)  # the name served by default, by kind
    lists_paths: bool = False  # at /openapi.json; unknown paths are {"detail": ...}, as FastAPI writes them
    model_info: bool = False  # GET /v1/model_info
    checks_model: bool = False
    align: int = 1
    frame_step: int = 1
    video_defaults: Mapping[str, object] = field(default_factory=dict)
    frames_by_seconds: bool = False  # frames = fps * seconds where the request has no num_frames
    edits_follow_picture: bool = False  # in size, where the request has none
    takes_auto_size: bool = False
    url_format: bool = False  # whether response_format may be url
    generations_format: str = "b64_json"  # where the request names none
    most_images: int = 16
    clamps_images: bool = False  # a larger n is most_images; else it is refused
    video_files: bool = False  # whether `video_reference` is a file; else it is JSON with a URL
    json_jobs: bool = False  # whether jobs may be created by JSON
    video_outputs: bool = True  # whether a job makes n videos; else n is ignored
    shows_progress: bool = True  # whether a running job is `in_progress`; else it stays `queued`
    failed_job_is_error: bool = False  # the poll of a failed job has the failure's HTTP status
    aborts: bool = False  # DELETE stops the work and frees the queue
    pending_content: tuple[int, str] = NO_CONTENT
    failed_content: tuple[int, str] = NO_CONTENT
    no_picture_status: int = 400
    no_job: str = "no such video"
    late_refusals: bool = False
    wrong_kind: Mapping[tuple[str, str], tuple[int, str]] = field(default_factory=dict)

    def served(self, options: SimulatorOptions) -> SimulatorOptions:
        """Return the options with the model's name, which is the profile's own unless --model is given."""
        return (
            replace(options, model=self.models.get(options.kind, "default")) if options.model == "default" else options
        )

    def check(self, route: str, fields: Mapping[str, object], options: SimulatorOptions) -> None:
        """Raise RefusalError if the request names another model, or wants what this kind of server does not make."""
        model = fields.get("model", options.model)
        if self.checks_model and route != "chat" and model != options.model:
            raise RefusalError(f"Model mismatch: request specifies '{model}' but server is running '{options.model}'.")
        if refused := self.refused(route, options):
            raise RefusalError(refused[1], refused[0])

    def refused(self, route: str, options: SimulatorOptions) -> tuple[int, str] | None:
        """Return status and message with which this kind of server refuses a route at once."""
        late = route == "videos" and self.late_refusals
        return None if late else self.wrong_kind.get((route, options.kind))

    def failure(self, route: str, options: SimulatorOptions) -> tuple[int, str] | None:
        """Return status and message with which a job of this kind of server fails."""
        return self.wrong_kind.get((route, options.kind)) if self.late_refusals else None

    def made(self, generation: Generation) -> Generation:
        """Return the generation in the sizes that the server makes of those asked for."""
        return replace(
            generation,
            width=self._floor(generation.width),
            height=self._floor(generation.height),
            frames=(generation.frames - 1) // self.frame_step * self.frame_step + 1,
        )

    def _floor(self, side: int) -> int:
        return max(side // self.align * self.align, self.align)
