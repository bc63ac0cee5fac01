import { IconButton } from "@repldock/ui";
import { History } from "lucide-react";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";

/** Shows the project's versions, or what was there before. */
export function HistoryButton() {
	const { history } = useWorkspace();
	const { open } = useStore(history.state);
	return (
		<IconButton
			label="History"
			className="ide-history-button"
			size="small"
			pressed={open}
			icon={<History aria-hidden />}
			onClick={() => history.show(!open)}
		/>
	);
}
