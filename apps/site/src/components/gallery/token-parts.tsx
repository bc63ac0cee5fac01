import { Logo } from "@repldock/ui";
import { Part } from "./part.tsx";

const colours = [
	"canvas",
	"surface",
	"raised",
	"sunken",
	"hover",
	"selected",
	"border",
	"border-control",
	"text",
	"text-muted",
	"accent",
	"accent-soft",
	"beacon",
	"positive-fill",
	"warning-fill",
	"danger-fill",
];

export function TokenParts() {
	return (
		<>
			<Part name="Logo">
				<Logo size={40} />
				<Logo />
				<Logo markOnly />
			</Part>
			<Part name="Colours">
				{colours.map((colour) => (
					<div key={colour} className="gallery-swatch">
						<span style={{ background: `var(--color-${colour})` }} />
						<span>{colour}</span>
					</div>
				))}
			</Part>
		</>
	);
}
