"""The flows of a workspace: the list, a new one, one from a file, and the end of one."""

from django import forms
from django.contrib import messages
from django.db import IntegrityError, transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.text import slugify
from django.views.decorators.http import require_GET, require_http_methods

from workflows.engine import flowfile, names
from workflows.storage import flowrows, flows, publishing
from workflows.web import flowlines
from workflows.web.access import Here, flow_or_404, member
from workflows.web.context import Crumb, asked, flow_page, form_page, page, part, wants

_ON_A_PAGE = 50
_TAKEN = "There is a flow of that address already: choose another."


class NewFlow(forms.Form):
    name = forms.CharField(max_length=120, error_messages={"required": "Give the flow a name."})
    slug = forms.CharField(max_length=60, required=False)

    def clean(self) -> dict[str, str]:
        """The slug that was given, else one made from the name."""
        slug = (
            self.cleaned_data.get("slug")
            or slugify(self.cleaned_data.get("name", "").casefold())[:60]
        )
        if "name" in self.cleaned_data:
            self.cleaned_data["slug"] = slug
            if says := names.flow_refusal(slug):
                self.add_error("slug", says)
        return self.cleaned_data


class FlowFile(forms.Form):
    file = forms.FileField(
        allow_empty_file=True, error_messages={"required": "Choose a flow file (.json)."}
    )
    publish = forms.BooleanField(required=False)

    def clean_file(self) -> dict[str, object]:
        """The document in the file."""
        upload = self.cleaned_data["file"]
        if upload.size > flowfile.LARGEST_BYTES:
            raise forms.ValidationError("A flow file may have 1 MiB; this one is larger.")
        try:
            document = flowfile.loads(upload.read().decode())
        except UnicodeDecodeError:
            raise forms.ValidationError("A flow file is UTF-8 text; this one isn't.") from None
        except flowfile.FlowFileError as error:
            raise forms.ValidationError(str(error)) from None
        if says := names.flow_refusal(document["slug"]):
            raise forms.ValidationError(f"The file's slug can't be one. {says}")
        return document


@require_GET
@member("viewer")
def flow_list(request: HttpRequest, here: Here) -> HttpResponse:
    """The flows by name and how they are doing, a page at a time."""
    text, after = asked(request, "q"), asked(request, "after")
    found, is_more = flowrows.page(here.workspace_id, text, after, _ON_A_PAGE)
    context = {
        "lines": flowlines.lines(found),
        "named": text,
        "after": after,
        "next": found[-1].slug if is_more else "",
    }
    template = "workflows/flows/list.html"
    if wants(request, "rows"):
        return part(request, here, template, "rows", context)
    return page(request, here, template, context, section="flows", crumbs=[Crumb("Flows")])


@require_http_methods(["GET", "POST"])
@member("editor")
def new(request: HttpRequest, here: Here) -> HttpResponse:
    """A name and an address make a flow; then it is drawn."""
    form = NewFlow(request.POST or None)
    if request.method == "POST" and form.is_valid():
        slug, name = form.cleaned_data["slug"], form.cleaned_data["name"]
        try:
            with transaction.atomic():
                flows.create(here.workspace_id, slug, name)
        except IntegrityError:
            form.add_error("slug", _TAKEN)
        else:
            return redirect("flow", here.workspace, slug)
    return form_page(
        request, here, "workflows/flows/new.html", form, section="flows", title="New flow"
    )


@require_http_methods(["GET", "POST"])
@member("editor")
def import_file(request: HttpRequest, here: Here) -> HttpResponse:
    """A flow file becomes a new flow, or the draft of the one it names."""
    form = FlowFile(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        document = form.cleaned_data["file"]
        flow = flows.import_document(here.workspace_id, document, here.user_id)
        if form.cleaned_data["publish"]:
            try:
                done = publishing.publish(
                    flow, flowfile.normalise({**document, "slug": flow.slug}), user_id=here.user_id
                )
                messages.success(request, f"Imported and published as version {done.number}.")
            except publishing.Refused as refused:
                count = len(refused.problems)
                messages.error(request, f"Imported, but not published: {count} problems to mend.")
            except publishing.Unread:
                messages.warning(request, "Imported. Publish it here: unread events need a word.")
        else:
            messages.success(request, "Imported as a draft. Publish it to let it run.")
        return redirect("flow", here.workspace, flow.slug)
    return form_page(
        request, here, "workflows/flows/import.html", form, section="flows", title="Import a flow"
    )


@require_http_methods(["GET", "POST"])
@member("owner")
def delete(request: HttpRequest, here: Here, slug: str) -> HttpResponse:
    """A flow ends with all its traces, once its address was typed."""
    flow = flow_or_404(here, slug)
    error = ""
    if request.method == "POST":
        if request.POST.get("confirm", "").strip() == flow.slug:
            flows.delete(flow)
            messages.success(request, f"Deleted {flow.name}.")
            return redirect("flows", here.workspace)
        error = f"Type {flow.slug} to confirm."
    status = 422 if error else 200
    return flow_page(request, here, flow, "delete", "Delete", {"error": error}, status)
