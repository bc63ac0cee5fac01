import { Toaster } from "@repldock/ui";
import { ActionParts } from "./action-parts.tsx";
import { DisplayParts } from "./display-parts.tsx";
import { InputParts } from "./input-parts.tsx";
import { TokenParts } from "./token-parts.tsx";

/** Every part of the UI library, in both themes side by side. */
export function Gallery() {
	return (
		<div className="gallery">
			{(["light", "dark"] as const).map((theme) => (
				<section key={theme} className="gallery-theme" data-theme={theme} aria-label={`${theme} theme`}>
					<h2>{theme === "light" ? "Light" : "Dark"}</h2>
					<TokenParts />
					<ActionParts />
					<InputParts />
					<DisplayParts theme={theme} />
				</section>
			))}
			<Toaster />
		</div>
	);
}
