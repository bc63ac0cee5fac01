import { Button, CopyButton, Dialog, IconButton, Kbd, LinkButton, Menu, Tooltip, toast } from "@repldock/ui";
import { Copy, Ellipsis, Pencil, Play, Plus, Settings, Trash2 } from "lucide-react";
import { useState } from "react";
import { Part } from "./part.tsx";

export function ActionParts() {
	const [open, setOpen] = useState(false);
	const [wrap, setWrap] = useState(true);
	return (
		<>
			<Part name="Button">
				<Button variant="primary" icon={<Plus aria-hidden />}>
					Primary
				</Button>
				<Button>Secondary</Button>
				<Button variant="quiet">Quiet</Button>
				<Button variant="positive" icon={<Play aria-hidden />}>
					Run
				</Button>
				<Button variant="danger">Delete</Button>
				<Button disabled>Disabled</Button>
				<Button variant="primary" pending>
					Pending
				</Button>
				<Button size="small">Small</Button>
				<Button size="large">Large</Button>
				<LinkButton href="/gallery">Link</LinkButton>
				<CopyButton text="copied text" />
			</Part>
			<Part name="Icon button, tooltip, keys">
				<IconButton label="Settings" icon={<Settings aria-hidden />} shortcut="Ctrl+," />
				<IconButton label="Copy" icon={<Copy aria-hidden />} size="small" />
				<IconButton label="Edit" icon={<Pencil aria-hidden />} pressed />
				<Tooltip text="Says more about what it is on">
					<Button>Hover me</Button>
				</Tooltip>
				<Kbd keys="Ctrl+Enter" />
			</Part>
			<Part name="Menu, dialog, toast">
				<Menu
					label="Example"
					entries={[
						{ id: "rename", label: "Rename…", icon: <Pencil />, shortcut: "F2" },
						{ id: "copy", label: "Duplicate", icon: <Copy />, disabled: true },
						{ id: "wrap", label: "Wrap lines", checked: wrap, onSelect: () => setWrap(!wrap) },
						"separator",
						{ id: "delete", label: "Delete", icon: <Trash2 />, danger: true },
					]}
					trigger={(props) => (
						<Button {...props} icon={<Ellipsis aria-hidden />}>
							Menu
						</Button>
					)}
				/>
				<Button onClick={() => setOpen(true)}>Dialog</Button>
				<Button
					onClick={() =>
						toast({
							title: "Deleted tide-table",
							action: { label: "Undo", onSelect: () => toast({ title: "Restored" }) },
						})
					}
				>
					Toast
				</Button>
				<Button onClick={() => toast({ title: "It did not work", detail: "Here is why.", tone: "danger" })}>
					Bad news
				</Button>
			</Part>
			<Dialog
				open={open}
				onClose={() => setOpen(false)}
				title="A dialog"
				description="The browser keeps the focus inside."
				footer={
					<>
						<Button onClick={() => setOpen(false)}>Cancel</Button>
						<Button variant="primary" onClick={() => setOpen(false)}>
							Do it
						</Button>
					</>
				}
			>
				<p>Escape, a press outside and the button at the top all close it.</p>
			</Dialog>
		</>
	);
}
