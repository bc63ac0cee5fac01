import { Button, IconButton, Menu } from "@repldock/ui";
import { Download } from "lucide-react";
import { useWorkspace } from "../workspace-context.ts";
import { exportEntries } from "./export-entries.tsx";

/** Takes the whole project away, whether its container runs or not. `named`: with its name in sight. */
export function ExportMenu({ named = false }: { named?: boolean }) {
	const { transfers } = useWorkspace();
	return (
		<Menu
			label="Export the project"
			align="end"
			entries={exportEntries(transfers)}
			trigger={(props) =>
				named ? (
					<Button size="small" icon={<Download aria-hidden />} {...props}>
						Export
					</Button>
				) : (
					<IconButton label="Export" size="small" icon={<Download aria-hidden />} {...props} />
				)
			}
		/>
	);
}
