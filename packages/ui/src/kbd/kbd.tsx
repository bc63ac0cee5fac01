/** Keys to press, `+` between them: `Ctrl+Enter`. */
export function Kbd({ keys }: { keys: string }) {
	return <kbd className="rd-kbd">{keys.split("+").join(" + ")}</kbd>;
}
