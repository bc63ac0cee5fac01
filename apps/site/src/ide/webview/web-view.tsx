import type { OpenPort } from "@repldock/protocol";
import { Button, Callout, EmptyState, IconButton, Menu, Spinner, StatusDot } from "@repldock/ui";
import { ChevronDown, ExternalLink, Globe, RotateCw, X } from "lucide-react";
import { useEffect, useRef, useState } from "react";
import { problemOf } from "../connection/problem.ts";
import { isRunning } from "../run/runner.ts";
import { useStore } from "../use-store.ts";
import { useWorkspace } from "../workspace-context.ts";
import { addressOf, enterAddress, mainPort, readAddress } from "./addresses.ts";

const noPorts: readonly OpenPort[] = [];

/** The running app in a frame, with its address. `isPrivate`: the app lets in only who brings a token; null: not known yet. */
export function WebView({ isPrivate, onClose }: { isPrivate: boolean | null; onClose?: (() => void) | undefined }) {
	const { state, accessToken } = useWorkspace();
	const workspace = useStore(state);
	const ports = workspace?.ports ?? noPorts;
	const [chosen, setChosen] = useState<number | null>(null);
	const port = ports.find((each) => each.port === chosen && each.url !== null) ?? mainPort(ports);
	const appUrl = port?.url ?? null;
	const [path, setPath] = useState("/");
	const [reloads, setReloads] = useState(0);
	const [source, setSource] = useState<{ address: string; key: string } | null>(null);
	const [failure, setFailure] = useState<string | null>(null);
	const [loading, setLoading] = useState(false);
	const field = useRef<HTMLInputElement>(null);

	useEffect(() => {
		if (appUrl === null || isPrivate === null) {
			setSource(null);
			return;
		}
		let current = true;
		const key = `${appUrl} ${path} ${reloads}`;
		const show = (address: string) => {
			if (!current) return;
			setFailure(null);
			setLoading(true);
			setSource({ address, key });
		};
		if (isPrivate) {
			accessToken().then(
				(token) => show(enterAddress(appUrl, path, token)),
				(error: unknown) => current && setFailure(problemOf(error).detail),
			);
		} else {
			show(addressOf(appUrl, path));
		}
		return () => {
			current = false;
		};
	}, [appUrl, path, reloads, isPrivate, accessToken]);

	async function openTab(): Promise<void> {
		if (appUrl === null) return;
		// Opened before the token is fetched: browsers allow it only in the press itself.
		const tab = isPrivate ? window.open("about:blank", "_blank") : null;
		if (!tab) window.open(addressOf(appUrl, path), "_blank", "noopener");
		else tab.location.href = enterAddress(appUrl, path, await accessToken());
	}

	return (
		<section className="ide-web" aria-label="Web view">
			<header className="ide-bar">
				<IconButton
					label="Reload the page"
					size="small"
					icon={<RotateCw aria-hidden />}
					disabled={appUrl === null}
					onClick={() => setReloads(reloads + 1)}
				/>
				<form
					className="ide-address"
					onSubmit={(event) => {
						event.preventDefault();
						if (appUrl === null || !field.current) return;
						const next = readAddress(field.current.value, appUrl);
						field.current.value = next;
						setPath(next);
						setReloads(reloads + 1);
					}}
				>
					<Globe size={14} aria-hidden />
					<span className="ide-address-host">{appUrl === null ? "" : new URL(appUrl).host}</span>
					<input
						ref={field}
						aria-label="Address"
						defaultValue="/"
						disabled={appUrl === null}
						spellCheck={false}
						autoComplete="off"
					/>
				</form>
				{ports.length > 1 && (
					<Menu
						label="Ports"
						align="end"
						entries={ports.map((each) => ({
							id: String(each.port),
							label: each.url === null ? `${each.port} (127.0.0.1 only)` : String(each.port),
							checked: each.port === port?.port,
							disabled: each.url === null,
							onSelect: () => setChosen(each.port),
						}))}
						trigger={(props) => (
							<Button variant="quiet" size="small" {...props}>
								{port?.port ?? "Ports"} <ChevronDown size={13} aria-hidden />
							</Button>
						)}
					/>
				)}
				<IconButton
					label="Open in a new tab"
					size="small"
					icon={<ExternalLink aria-hidden />}
					disabled={appUrl === null}
					onClick={() => void openTab()}
				/>
				{onClose && <IconButton label="Close the web view" size="small" icon={<X aria-hidden />} onClick={onClose} />}
			</header>
			<div className="ide-web-body">
				{failure !== null && (
					<Callout tone="danger" title="The web view cannot open the app">
						<p>{failure}</p>
					</Callout>
				)}
				{source && (
					<iframe
						key={source.key}
						title="Your app"
						src={source.address}
						onLoad={() => setLoading(false)}
						// The app may do what pages do, but not lead the editor's own tab away.
						sandbox="allow-scripts allow-same-origin allow-forms allow-popups allow-modals allow-downloads allow-popups-to-escape-sandbox"
						allow="clipboard-write; fullscreen; autoplay"
					/>
				)}
				{source && loading && <span className="ide-web-loading" />}
				{!source && failure === null && appUrl === null && (
					<NothingToShow ports={ports} running={isRunning(workspace)} />
				)}
			</div>
		</section>
	);
}

function NothingToShow({ ports, running }: { ports: readonly OpenPort[]; running: boolean }) {
	const { runner, rights } = useWorkspace();
	const mayRun = useStore(rights) === "edit";
	const hidden = ports.find((port) => port.url === null);
	if (hidden) {
		return (
			<EmptyState icon={<Globe size={28} aria-hidden />} title={`Port ${hidden.port} is open, but only inside`}>
				<p>
					The program listens only on 127.0.0.1. Let it listen on <code>0.0.0.0</code>, or set{" "}
					<code>exposeLocalhost = true</code> for this port in <code>.replit</code>.
				</p>
			</EmptyState>
		);
	}
	if (running) {
		return (
			<EmptyState icon={<Spinner size={24} />} title="Waiting for a port">
				<p>The page appears here as soon as the program listens on a port.</p>
			</EmptyState>
		);
	}
	return (
		<EmptyState
			icon={<Globe size={28} aria-hidden />}
			title="Press Run"
			action={
				mayRun && (
					<Button variant="secondary" onClick={() => void runner.run()}>
						Run the project
					</Button>
				)
			}
		>
			<p>When the program listens on a port, its page appears here.</p>
			<StatusDot tone="neutral" label="Nothing listens yet" />
		</EmptyState>
	);
}
