"""The profiles of the simulated server, one file per server, and the table of them."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from loadgen.simulator.engine.profile import Profile
from loadgen.simulator.servers.dynamo import DYNAMO
from loadgen.simulator.servers.lightx2v import LIGHTX2V
from loadgen.simulator.servers.sglang import SGLANG
from loadgen.simulator.servers.simulated import ANY
from loadgen.simulator.servers.vllm_omni import VLLM_OMNI

PROFILES: Final[Mapping[str, Profile]] = MappingProxyType(
    {profile.name: profile for profile in (ANY, VLLM_OMNI, SGLANG, DYNAMO, LIGHTX2V)}
)
