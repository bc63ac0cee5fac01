import { Card, chooseTheme, SegmentedControl, type ThemeChoice } from "@repldock/ui";
import { Monitor, Moon, Sun } from "lucide-react";
import { useState } from "react";

const options = [
	{ value: "system", label: "As the device", icon: <Monitor aria-hidden /> },
	{ value: "light", label: "Light", icon: <Sun aria-hidden /> },
	{ value: "dark", label: "Dark", icon: <Moon aria-hidden /> },
] as const;

export function ThemeCard({ initial }: { initial: ThemeChoice }) {
	const [choice, setChoice] = useState(initial);
	return (
		<Card title="Appearance" description="Kept in this browser.">
			<SegmentedControl
				label="Theme"
				hideLabel
				options={options}
				value={choice}
				onChange={(value) => {
					setChoice(value);
					chooseTheme(value);
				}}
			/>
		</Card>
	);
}
