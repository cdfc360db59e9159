"""`manage.py flow import|export|validate|diff`: flows as files."""

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from workflows.engine import flowfile
from workflows.engine.compile import compile_flow
from workflows.nodes.registry import node_types
from workflows.storage import flows, people, publishing


class Command(BaseCommand):
    help = "Flows as files: import FILE [--publish], export SLUG, validate FILE, diff A B."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--workspace", default=people.MAIN)
        verbs = parser.add_subparsers(dest="verb", required=True)
        bring = verbs.add_parser("import", help="make or replace a flow's draft from a file")
        bring.add_argument("file")
        bring.add_argument("--publish", action="store_true", help="and let it run")
        take = verbs.add_parser("export", help="print a flow's draft")
        take.add_argument("slug")
        check = verbs.add_parser("validate", help="say what is wrong with a file")
        check.add_argument("file")
        compare = verbs.add_parser("diff", help="say how two files differ")
        compare.add_argument("a")
        compare.add_argument("b")

    def handle(self, *args: Any, **options: Any) -> None:
        getattr(self, f"_{options['verb']}")(options)

    def _import(self, options: dict[str, Any]) -> None:
        document = _read(options["file"])
        workspace_id = _workspace_id(options["workspace"])
        flow = flows.import_document(workspace_id, document)
        self.stdout.write(f"Imported {flow.slug} as a draft.")
        if options["publish"]:
            try:
                published = publishing.publish(flow, document)
            except publishing.Refused as refused:
                lines = [f"  {p.node or 'flow'} {p.field}: {p.says}" for p in refused.problems]
                raise CommandError("Not published:\n" + "\n".join(lines)) from None
            except publishing.Unread as unread:
                raise CommandError(
                    f"Not published: unread events would stay behind ({unread.nodes})."
                    " Publish in the browser to say what becomes of them."
                ) from None
            self.stdout.write(f"Published {flow.slug} as version {published.number}.")

    def _export(self, options: dict[str, Any]) -> None:
        workspace_id = _workspace_id(options["workspace"])
        document = flows.draft_document(workspace_id, options["slug"])
        if document is None:
            raise CommandError(f"There is no flow {options['slug']!r}.")
        self.stdout.write(flowfile.dumps(document), ending="")

    def _validate(self, options: dict[str, Any]) -> None:
        document = _read(options["file"])
        plan, problems = compile_flow(
            document, node_types(), workspace=options["workspace"], flow="check", version=0
        )
        for problem in problems:
            where = ".".join(part for part in (problem.node, problem.field) if part) or "flow"
            self.stdout.write(f"{problem.level}: {where}: {problem.says}")
        if plan is None:
            raise CommandError("The flow can't be published.")
        self.stdout.write("The flow can be published.")

    def _diff(self, options: dict[str, Any]) -> None:
        for line in flowfile.diff(_read(options["a"]), _read(options["b"])):
            self.stdout.write(line)


def _read(name: str) -> dict[str, Any]:
    try:
        return flowfile.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, flowfile.FlowFileError) as problem:
        raise CommandError(f"{name}: {problem}") from None


def _workspace_id(slug: str) -> int:
    if slug == people.MAIN:
        people.main_workspace()
    workspace_id = people.workspace_id_of(slug)
    if workspace_id is None:
        raise CommandError(f"There is no workspace {slug!r}.")
    return workspace_id
