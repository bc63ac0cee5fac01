/** Helpers for project paths: relative, `/` between names, `""` for the project folder. */

export function baseName(path: string): string {
	return path.slice(path.lastIndexOf("/") + 1);
}

export function parentOf(path: string): string {
	const slash = path.lastIndexOf("/");
	return slash < 0 ? "" : path.slice(0, slash);
}

export function joinPath(directory: string, name: string): string {
	return directory === "" ? name : `${directory}/${name}`;
}

/** All directories above a path, outermost first, without the project folder. */
export function ancestorsOf(path: string): string[] {
	const names = path.split("/").slice(0, -1);
	return names.map((_, index) => names.slice(0, index + 1).join("/"));
}

/** Whether a path is the directory itself or anywhere below it. */
export function isWithin(path: string, directory: string): boolean {
	return directory === "" || path === directory || path.startsWith(`${directory}/`);
}

/** Why a name that somebody typed cannot be used, as a sentence; null when it can. Slashes make directories. */
export function refuseName(name: string): string | null {
	if (name.trim() === "") return "Type a name.";
	if (name.includes("\0")) return "A name cannot hold a NUL character.";
	const parts = name.split("/");
	if (parts.some((part) => part === "")) return "Leave out the slash at the beginning, the end or doubled.";
	if (parts.some((part) => part === "." || part === "..")) return "“.” and “..” are not names.";
	const encoder = new TextEncoder();
	if (parts.some((part) => encoder.encode(part).length > 255)) return "Names are at most 255 bytes long.";
	return null;
}

/**
 * A name as it is safe to show: line breaks and other control characters as their pictures, and no characters that turn
 * the direction of the text around (which make `exe.txt` of `txt.exe`).
 */
export function showName(name: string): string {
	return name.replace(/[\p{Cc}\p{Zl}\p{Zp}\p{Bidi_Control}]/gu, (character) => {
		const code = character.codePointAt(0) ?? 0;
		if (code < 0x20) return String.fromCodePoint(0x2400 + code);
		return code === 0x7f ? "\u2421" : "\ufffd";
	});
}

/** Short names for tabs: the file's name, with as much of its folders as tells equal ones apart. */
export function tabNames(paths: readonly string[]): string[] {
	return paths.map((path) => {
		const rivals = paths.filter((other) => other !== path && baseName(other) === baseName(path));
		const names = path.split("/");
		for (let count = 1; count < names.length; count++) {
			const short = names.slice(-count).join("/");
			if (!rivals.some((rival) => rival === short || rival.endsWith(`/${short}`))) return showName(short);
		}
		return showName(path);
	});
}
