export interface AvatarProps {
	name: string;
	/** Pixels. */
	size?: number | undefined;
	/** True where the name stands beside it. */
	decorative?: boolean | undefined;
}

/** Initials on a colour that is always the same for the same name. */
export function Avatar({ name, size = 28, decorative = false }: AvatarProps) {
	return (
		<span
			className="rd-avatar"
			style={{ width: size, height: size, fontSize: size * 0.4, backgroundColor: `hsl(${hueOf(name)} 46% 31%)` }}
		>
			<span aria-hidden="true">{initialsOf(name)}</span>
			{!decorative && <span className="rd-visually-hidden">{name}</span>}
		</span>
	);
}

function initialsOf(name: string): string {
	const words = name.trim().split(/\s+/u);
	const first = [...(words[0] ?? "")][0] ?? "?";
	const last = words.length > 1 ? ([...(words.at(-1) ?? "")][0] ?? "") : "";
	return (first + last).toUpperCase();
}

function hueOf(name: string): number {
	let hash = 7;
	for (const character of name) hash = (hash * 31 + (character.codePointAt(0) ?? 0)) % 9973;
	return hash % 360;
}
