import type { ReactNode } from "react";

/** One part of the gallery under its name. */
export function Part({ name, children }: { name: string; children: ReactNode }) {
	return (
		<div className="gallery-part">
			<h3>{name}</h3>
			<div className="gallery-row">{children}</div>
		</div>
	);
}
