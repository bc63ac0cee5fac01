/** What the person chose; `system` follows the device. */
export type ThemeChoice = "system" | "light" | "dark";

/** A cookie, so that the server's first byte has the right colours already. */
export const themeCookie = "repldock_theme";

const oneYearSeconds = 365 * 24 * 60 * 60;

/** Reads the cookie's value; anything but a theme means `system`. */
export function parseThemeChoice(value: string | undefined): ThemeChoice {
	return value === "light" || value === "dark" ? value : "system";
}

/** The choice in force on this page. */
export function currentThemeChoice(): ThemeChoice {
	return parseThemeChoice(document.documentElement.dataset.theme);
}

/** Applies the choice to this page and keeps it for the next ones. */
export function chooseTheme(choice: ThemeChoice): void {
	if (choice === "system") delete document.documentElement.dataset.theme;
	else document.documentElement.dataset.theme = choice;
	// biome-ignore lint/suspicious/noDocumentCookie: the Cookie Store API is missing where pages come by plain HTTP
	document.cookie = `${themeCookie}=${choice}; path=/; max-age=${oneYearSeconds}; samesite=lax`;
}

/**
 * The colour that a token such as `--color-terminal-red` has at `element` now, as `rgb(…)`, for what is painted on a
 * canvas and cannot use tokens itself.
 */
export function tokenColor(token: `--color-${string}`, element: HTMLElement = document.body): string {
	const probe = document.createElement("span");
	probe.hidden = true;
	probe.style.color = `var(${token})`;
	element.append(probe);
	const { color } = getComputedStyle(probe);
	probe.remove();
	return color;
}

/** Calls back whenever the colours in force change, by choice or by the device. Returns the way to stop it. */
export function onThemeChange(callback: () => void): () => void {
	const device = window.matchMedia("(prefers-color-scheme: dark)");
	const choice = new MutationObserver(callback);
	choice.observe(document.documentElement, { attributes: true, attributeFilter: ["data-theme"] });
	device.addEventListener("change", callback);
	return () => {
		choice.disconnect();
		device.removeEventListener("change", callback);
	};
}
