// Why are the icons put into the page? A symbol in another file is drawn a moment late each time it
// is used anew, so icons in a live list would flicker.
const PREFIX = "icon-";

/** Puts the sprite's symbols into the page; resolves to what comes before a name to refer to one. */
export async function inlineSprite(url: string): Promise<string> {
  const text = await (await fetch(url)).text();
  const sprite = new DOMParser().parseFromString(text, "image/svg+xml").documentElement;
  for (const symbol of sprite.querySelectorAll("symbol")) symbol.id = PREFIX + symbol.id;
  const holder = document.importNode(sprite, true);
  holder.setAttribute("width", "0");
  holder.setAttribute("height", "0");
  holder.setAttribute("class", "hidden-text");
  holder.setAttribute("aria-hidden", "true");
  document.body.append(holder);
  return `#${PREFIX}`;
}
