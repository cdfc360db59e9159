// How is an icon drawn? As a symbol of the Lucide sprite; the word beside it carries the meaning.
import { useUi } from "../app";

export function Icon({ name, size = "" }: { name: string; size?: "" | "s" | "l" }) {
  const icons = useUi((state) => state.icons);
  return (
    <svg className={size ? `icon icon-${size}` : "icon"} aria-hidden="true">
      <use href={`${icons}${name}`} />
    </svg>
  );
}
