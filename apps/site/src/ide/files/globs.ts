/**
 * The patterns of `.replit`'s `hidden`: `*` and `?` within a name, `**` across names, `[…]` and `{a,b}`. A pattern
 * without a slash fits a name at any depth; what it hides it hides with all inside.
 */
export function createHiddenFilter(patterns: readonly string[]): (path: string) => boolean {
	const tests = patterns.flatMap((pattern) => {
		const test = compileGlob(pattern);
		return test ? [test] : [];
	});
	return (path) => {
		const names = path.split("/");
		if (names.some((name) => name.startsWith("."))) return true;
		return names.some((_, index) => {
			const part = names.slice(0, index + 1).join("/");
			return tests.some((test) => test(part));
		});
	};
}

/** Longer patterns, or ones with more stars, are not meant seriously and could make an expression that never ends. */
const mostPatternLength = 200;
const mostStars = 8;

/** Null for patterns that are empty, negated (nothing to hide) or not to be understood. */
export function compileGlob(pattern: string): ((path: string) => boolean) | null {
	const trimmed = pattern
		.trim()
		.replace(/^\.?\//, "")
		.replace(/\/+$/, "");
	if (trimmed === "" || trimmed.startsWith("!") || trimmed.length > mostPatternLength) return null;
	if (trimmed.split("*").length - 1 > mostStars) return null;
	const anywhere = !trimmed.includes("/");
	let source: string;
	try {
		source = toExpression(trimmed);
		const expression = new RegExp(`^${anywhere ? "(?:.*/)?" : ""}${source}$`, "su");
		return (path) => expression.test(path);
	} catch {
		return null; // Not a pattern: it hides nothing.
	}
}

function toExpression(glob: string): string {
	let source = "";
	let braces = 0;
	for (let index = 0; index < glob.length; index++) {
		const character = glob[index] ?? "";
		if (character === "*") {
			let stars = 1;
			while (glob[index + 1] === "*") {
				stars++;
				index++;
			}
			if (stars === 1) source += "[^/]*";
			else if (glob[index + 1] === "/") {
				index++;
				source += "(?:.*/)?";
			} else source += ".*";
		} else if (character === "?") source += "[^/]";
		else if (character === "[") {
			const end = glob.indexOf("]", index + 2);
			if (end < 0) source += "\\[";
			else {
				const inside = glob
					.slice(index + 1, end)
					.replace(/^!/, "^")
					.replace(/[\\[\]]/g, "\\$&");
				source += `[${inside}]`;
				index = end;
			}
		} else if (character === "{") {
			braces++;
			source += "(?:";
		} else if (character === "}" && braces > 0) {
			braces--;
			source += ")";
		} else if (character === "," && braces > 0) source += "|";
		else source += character.replace(/[\\^$.|+(){}\]/]/g, "\\$&");
	}
	return source;
}
