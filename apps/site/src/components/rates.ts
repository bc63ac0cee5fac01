/** `640 bit/s`, `1.5 Mbit/s`. */
export function describeRate(bitsPerSecond: number): string {
	return `${scaled(bitsPerSecond)}bit/s`;
}

/** `640 B`, `1.5 GB`. */
export function describeBytes(bytes: number): string {
	return `${scaled(bytes)}B`;
}

const prefixes = ["", "k", "M", "G", "T", "P"];

function scaled(value: number): string {
	let rest = value;
	let index = 0;
	while (rest >= 999.5 && index < prefixes.length - 1) {
		rest /= 1000;
		index += 1;
	}
	const figure = index > 0 && rest < 9.95 ? rest.toFixed(1) : String(Math.round(rest));
	return `${figure} ${prefixes[index] ?? ""}`;
}
