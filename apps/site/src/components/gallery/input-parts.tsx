import { Checkbox, SegmentedControl, Select, Switch, TextField } from "@repldock/ui";
import { Search } from "lucide-react";
import { useState } from "react";
import { Part } from "./part.tsx";

const sizes = [
	{ value: "small", label: "Small" },
	{ value: "medium", label: "Medium" },
	{ value: "large", label: "Large" },
] as const;

export function InputParts() {
	const [size, setSize] = useState<"small" | "medium" | "large">("medium");
	return (
		<>
			<Part name="Text field">
				<TextField label="Name" placeholder="tide-table" hint="Shown to visitors." autoComplete="off" />
				<TextField label="Address" defaultValue="api" after=".localhost" error="This address is reserved." />
				<TextField
					label="Search"
					hideLabel
					type="search"
					placeholder="Search"
					before={<Search size={16} aria-hidden />}
				/>
				<TextField label="Password" type="password" defaultValue="secret" autoComplete="off" />
			</Part>
			<Part name="Select, segmented control">
				<Select label="Size" options={sizes} defaultValue="medium" />
				<SegmentedControl label="Size" options={sizes} value={size} onChange={setSize} />
			</Part>
			<Part name="Checkbox, switch">
				<Checkbox label="Sign out everywhere else" defaultChecked />
				<Checkbox label="Off" />
				<Switch label="Anyone can sign up" hint="Takes effect at once." defaultChecked />
				<Switch label="Off" />
			</Part>
		</>
	);
}
