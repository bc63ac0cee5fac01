import { CopyButton, EmptyState } from "@repldock/ui";
import { Radio } from "lucide-react";
import { useEffect, useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { useWorkspace } from "../workspace-context.ts";

/** Says what will appear, and where to make it appear. */
export function RequestsEmpty() {
	const { site } = useWorkspace();
	const [url, setUrl] = useState<string | null>(null);
	useEffect(() => {
		let left = false;
		site.project().then(
			(project) => left || setUrl(project.url),
			// The page's header says so too; here only the hint is missing.
			(error: unknown) => console.warn("The app's address is not known:", problemOf(error).detail),
		);
		return () => {
			left = true;
		};
	}, [site]);
	return (
		<EmptyState icon={<Radio aria-hidden />} title="No requests yet">
			<p>Each visit to your app appears here the moment it is answered: what was asked, by whom, and how it went.</p>
			{url && (
				<p className="ide-requests-address">
					<code>{url}</code>
					<CopyButton text={url} label="Copy address" />
				</p>
			)}
		</EmptyState>
	);
}
