import { SegmentedControl, TextField } from "@repldock/ui";
import { FileArchive, Upload } from "lucide-react";
import { useId, useState } from "react";
import { archiveTypes } from "../../ide/transfer/transfers.ts";

const histories = [
	{ value: "latest", label: "Latest commit" },
	{ value: "full", label: "Whole history" },
] as const;

/** A place to drop an archive on, and a button that picks one. */
export function ArchiveField({ file, onPick }: { file: File | null; onPick: (file: File) => void }) {
	const id = useId();
	const [over, setOver] = useState(false);
	return (
		<label
			htmlFor={id}
			className="archive-drop"
			data-over={over || undefined}
			onDragOver={(event) => {
				event.preventDefault();
				setOver(true);
			}}
			onDragLeave={() => setOver(false)}
			onDrop={(event) => {
				event.preventDefault();
				setOver(false);
				const [dropped] = event.dataTransfer.files;
				if (dropped) onPick(dropped);
			}}
		>
			<input
				id={id}
				type="file"
				accept={archiveTypes}
				className="rd-visually-hidden"
				aria-label="Archive to import"
				onChange={(event) => {
					const [picked] = event.currentTarget.files ?? [];
					if (picked) onPick(picked);
				}}
			/>
			{file ? <FileArchive size={28} aria-hidden /> : <Upload size={28} aria-hidden />}
			<span className="archive-drop-title">{file ? file.name : "Drop an archive here, or choose one"}</span>
			<span className="quiet">
				{file
					? `${sizeOf(file.size)}. Choose another one by a click.`
					: "Zip (from Replit or GitHub too), tar, tar.gz, tar.zst or a git bundle"}
			</span>
		</label>
	);
}

export function GitFields(props: {
	error: string | undefined;
	history: "latest" | "full";
	onHistory: (history: "latest" | "full") => void;
}) {
	return (
		<div className="git-fields">
			<TextField
				label="Address of the repository"
				name="url"
				type="url"
				required
				placeholder="https://github.com/you/project.git"
				autoComplete="off"
				error={props.error}
				hint="Public repositories by https. It is cloned inside the project's own container."
				data-autofocus
			/>
			<SegmentedControl label="Bring" options={histories} value={props.history} onChange={props.onHistory} />
		</div>
	);
}

function sizeOf(bytes: number): string {
	if (bytes < 1024 * 1024) return `${Math.ceil(bytes / 1024)} KiB`;
	return `${(bytes / 1024 / 1024).toFixed(1)} MiB`;
}
