import { chooseTheme, currentThemeChoice, IconButton, Menu, type ThemeChoice } from "@repldock/ui";
import { SunMoon } from "lucide-react";
import { useState } from "react";

const choices: readonly { value: ThemeChoice; label: string }[] = [
	{ value: "system", label: "Like the system" },
	{ value: "light", label: "Light" },
	{ value: "dark", label: "Dark" },
];

export function ThemeMenu() {
	const [choice, setChoice] = useState(currentThemeChoice);
	return (
		<Menu
			label="Theme"
			align="end"
			entries={choices.map(({ value, label }) => ({
				id: value,
				label,
				checked: value === choice,
				onSelect: () => {
					chooseTheme(value);
					setChoice(value);
				},
			}))}
			trigger={(props) => <IconButton label="Theme" size="small" icon={<SunMoon aria-hidden />} {...props} />}
		/>
	);
}
