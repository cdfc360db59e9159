// How does the editor speak to the server? JSON both ways, with Django's CSRF token.
export interface Answer {
  readonly status: number;
  readonly ok: boolean;
  readonly etag: string | null;
  readonly body: Readonly<Record<string, unknown>>;
}

export function csrfToken(): string {
  return /(?:^|;\s*)csrftoken=([^;]*)/.exec(document.cookie)?.[1] ?? "";
}

/** Sends JSON. Rejects only when no answer came; an error status is an answer. */
export async function send(
  method: "POST" | "PUT",
  url: string,
  body: unknown,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer> {
  const response = await fetch(url, {
    method,
    credentials: "same-origin",
    headers: {
      "Content-Type": "application/json",
      Accept: "application/json, application/problem+json",
      "X-CSRFToken": csrfToken(),
      ...headers,
    },
    body: JSON.stringify(body),
  });
  const parsed: unknown = await response.json().catch(() => null);
  return {
    status: response.status,
    ok: response.ok,
    etag: response.headers.get("ETag"),
    body: typeof parsed === "object" && parsed !== null ? (parsed as Answer["body"]) : {},
  };
}

/** What went wrong, in the server's words where it has any. */
export function saysOf(answer: Answer): string {
  const { detail, title } = answer.body;
  if (typeof detail === "string" && detail) return detail;
  if (typeof title === "string" && title) return title;
  if (answer.status === 401 || answer.status === 403) {
    return "You may not do this. Sign in again, or ask an owner of the workspace.";
  }
  return `The server answered ${answer.status}. Try again in a moment.`;
}
