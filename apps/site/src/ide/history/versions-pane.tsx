import { Button, Callout, EmptyState, SegmentedControl, Skeleton, Spinner } from "@repldock/ui";
import { BookmarkPlus, History as HistoryIcon } from "lucide-react";
import { useState } from "react";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { whyWaiting } from "./actions.ts";
import { SaveDialog } from "./save-dialog.tsx";
import { VersionRow } from "./version-row.tsx";
import { byDay } from "./words.ts";

/** The list of versions: by day, the newest first. */
export function VersionsPane() {
	const { history, rights, state } = useWorkspace();
	const shown = useStore(history.state);
	const mayEdit = useStore(rights) === "edit";
	const waiting = whyWaiting(useStore(state));
	const [naming, setNaming] = useState(false);
	const { versions, next, loaded, loading, problem, namedOnly, chosen, saving } = shown;
	const days = byDay(versions);
	const save = mayEdit && (
		<Button
			size="small"
			variant="primary"
			icon={<BookmarkPlus aria-hidden />}
			pending={saving !== null}
			onClick={() => setNaming(true)}
		>
			Save a version…
		</Button>
	);
	return (
		<div className="ide-history-pane" data-pane="list" aria-busy={!loaded && problem === null}>
			<div className="ide-history-tools">
				<SegmentedControl
					label="Which versions"
					hideLabel
					options={[
						{ value: "all", label: "All" },
						{ value: "named", label: "Named" },
					]}
					value={namedOnly ? "named" : "all"}
					onChange={(value) => history.showNamed(value === "named")}
				/>
				{save}
			</div>
			<div role="status" className="ide-history-saving">
				{saving !== null && (
					<>
						<Spinner size={14} />
						<p>
							“{saving}” is on its way to the object store.
							{waiting !== null && <strong> {waiting}</strong>}
						</p>
					</>
				)}
			</div>
			{problem && (
				<div className="ide-history-problem">
					<Callout
						tone="danger"
						title={loaded ? "The list may be out of date" : "The versions cannot be shown"}
						action={
							<Button size="small" pending={loading !== null} onClick={() => void history.refresh()}>
								Try again
							</Button>
						}
					>
						<p>{problem.detail}</p>
					</Callout>
				</div>
			)}
			<div className="ide-history-list">
				{!loaded && !problem && <Waiting />}
				{loaded && versions.length === 0 && <NoVersions namedOnly={namedOnly} />}
				{days.map((day) => (
					<section key={day.key} aria-label={day.title}>
						<h3 className="ide-history-day">{day.title}</h3>
						<ol>
							{day.versions.map((version) => (
								<VersionRow
									key={version.id}
									version={version}
									chosen={version.id === chosen?.id}
									onChoose={() => history.choose(version)}
								/>
							))}
						</ol>
					</section>
				))}
				{next !== null && (
					<Button
						variant="quiet"
						size="small"
						className="ide-history-older"
						pending={loading === "older"}
						onClick={() => void history.older()}
					>
						Show older ones
					</Button>
				)}
				{next === null && versions.length > 0 && (
					<p className="ide-history-end">
						Versions without a name are thinned out as they grow old. Those with one stay.
					</p>
				)}
			</div>
			{naming && <SaveDialog onClose={() => setNaming(false)} />}
		</div>
	);
}

function NoVersions({ namedOnly }: { namedOnly: boolean }) {
	if (namedOnly) {
		return (
			<EmptyState icon={<BookmarkPlus aria-hidden />} title="No version has a name">
				<p>Save one before you try something, or give a name to one of the list. Versions with a name stay.</p>
			</EmptyState>
		);
	}
	return (
		<EmptyState icon={<HistoryIcon aria-hidden />} title="No versions yet">
			<p>
				A few seconds after each change the project's files are stored by themselves, and appear here as a version that
				you can look at and go back to.
			</p>
		</EmptyState>
	);
}

function Waiting() {
	return (
		<div className="ide-history-wait">
			<Spinner size={14} label="Asking for the versions" />
			{["62%", "48%", "70%", "55%"].map((width) => (
				<Skeleton key={width} width={width} height="0.9rem" />
			))}
		</div>
	);
}
