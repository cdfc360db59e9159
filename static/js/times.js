// How long ago was that? Expects <time datetime="2026-11-23T10:00:00Z" data-relative>…</time>;
// writes "3 min ago" and puts the exact time with its zone into the tooltip. Also for parts that
// are swapped in later.
const STEPS = [
  [60, "second", 1],
  [3600, "minute", 60],
  [86_400, "hour", 3600],
  [2_592_000, "day", 86_400],
];
const relative = new Intl.RelativeTimeFormat("en-GB", { numeric: "auto", style: "short" });
const exact = new Intl.DateTimeFormat("en-GB", {
  dateStyle: "medium",
  timeStyle: "long",
});
const day = new Intl.DateTimeFormat("en-GB", { dateStyle: "medium" });

function words(at, now) {
  const seconds = Math.round((at - now) / 1000);
  if (Math.abs(seconds) < 5) return "just now";
  for (const [limit, unit, size] of STEPS) {
    if (Math.abs(seconds) < limit) return relative.format(Math.trunc(seconds / size), unit);
  }
  return day.format(at);
}

function refresh() {
  const now = Date.now();
  for (const element of document.querySelectorAll("time[data-relative]")) {
    const at = new Date(element.dateTime);
    if (Number.isNaN(at.getTime())) continue;
    const text = words(at, now);
    if (element.textContent !== text) element.textContent = text;
    if (!element.title) element.title = exact.format(at);
  }
}

refresh();
setInterval(refresh, 15_000);
document.addEventListener("htmx:load", refresh);
