"""A stack that nobody deploys by itself: its template is an asset of the stack whose stack set carries it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import aws_cdk as cdk
import jsii

if TYPE_CHECKING:
    from constructs import Construct


@jsii.implements(cdk.IStringProducer)
class _LaterAddress:
    """The template's address, known once it is synthesized."""

    def __init__(self) -> None:
        self.address = ""

    def produce(self, _context: cdk.IResolveContext) -> str:
        return self.address


class _Synthesizer(cdk.BootstraplessSynthesizer):
    """Refuses assets, as its parent does; hands the template to the stack around it instead of to the CDK CLI."""

    def __init__(self, around: cdk.Stack, later: _LaterAddress) -> None:
        super().__init__()
        self._around, self._later = around, later

    def reusable_bind(self, stack: cdk.Stack) -> cdk.IBoundStackSynthesizer:
        """Of this one stack alone; the copy that CDK would make would not be ours."""
        self.bind(stack)
        return self

    def synthesize(self, session: cdk.ISynthesisSession) -> None:
        asset = self._synthesize_template(session)
        self._later.address = self._around.synthesizer.add_file_asset(
            file_name=asset.file_name, packaging=cdk.FileAssetPackaging.FILE, source_hash=asset.source_hash
        ).http_url


class StackSetTemplate(cdk.Stack):
    """The template of a stack set, within the stack that has the stack set."""

    def __init__(self, scope: Construct, id: str, *, description: str) -> None:
        later = _LaterAddress()
        super().__init__(scope, id, description=description, synthesizer=_Synthesizer(cdk.Stack.of(scope), later))
        self.address = cdk.Lazy.uncached_string(later)
