/**
 * Who may import whom (CONTRIBUTING.md says why). Types count. tests/contract/imports.test.ts feeds each rule a file
 * that breaks it.
 */
const app = "^apps/([^/]+)/";

/** Wires parts of one app together; the only files that may see all of them. */
const wiring = "^apps/(site/src/server|node/src/(main|serve|machine|routes))\\.ts$";

/** @type {import("dependency-cruiser").IConfiguration} */
module.exports = {
	forbidden: [
		{ name: "no-circular", severity: "error", from: {}, to: { circular: true } },
		{
			name: "protocol-imports-nothing-of-ours",
			severity: "error",
			from: { path: "^packages/protocol/" },
			to: { path: "^(apps|packages/(?!protocol/))" },
		},
		{
			name: "protocol-runs-anywhere",
			severity: "error",
			from: { path: "^packages/protocol/src/" },
			to: { dependencyTypes: ["core"] },
		},
		{
			name: "ui-imports-only-react",
			severity: "error",
			from: { path: "^packages/ui/" },
			to: { path: "^(apps|packages/(?!ui/))" },
		},
		{
			name: "service-imports-nothing-of-ours",
			severity: "error",
			from: { path: "^packages/service/" },
			to: { path: "^(apps|packages/(?!service/))" },
		},
		{
			name: "objects-import-only-service",
			severity: "error",
			from: { path: "^packages/objects/" },
			to: { path: "^(apps|packages/(?!(objects|service)/))" },
		},
		{
			name: "no-app-imports-another",
			severity: "error",
			from: { path: app },
			to: { path: "^apps/", pathNot: "^apps/$1/" },
		},
		{
			name: "site-domain-is-pure",
			severity: "error",
			from: { path: "^apps/site/src/domain/" },
			to: { path: "^(apps/site/src/(?!domain/)|packages/(?!protocol/))" },
		},
		{
			name: "site-store-sees-domain-and-service",
			severity: "error",
			from: { path: "^apps/site/src/store/" },
			to: { path: "^apps/site/src/(?!(store|domain)/)" },
		},
		{
			name: "browser-code-sees-protocol-and-ui-alone",
			severity: "error",
			from: { path: "^apps/site/src/(ide|components)/" },
			to: { path: "^(apps/site/src/(?!(ide|components|styles)/)|packages/(service|objects)/)" },
		},
		{
			name: "browser-code-has-no-node",
			severity: "error",
			from: { path: "^(apps/site/src/(ide|components)|packages/ui/src)/" },
			to: { dependencyTypes: ["core"] },
		},
		{
			name: "reconcile-is-pure",
			severity: "error",
			from: { path: "^apps/node/src/reconcile/" },
			to: { path: "^(apps/node/src/(?!reconcile/)|packages/(?!protocol/))" },
		},
		{
			name: "reconcile-does-no-input-or-output",
			severity: "error",
			from: { path: "^apps/node/src/reconcile/" },
			to: { dependencyTypes: ["core"] },
		},
		{
			name: "host-drivers-see-interfaces-alone",
			severity: "error",
			from: { path: "^apps/node/src/host/" },
			to: { path: "^apps/node/src/(?!(host/|host\\.ts$|host-storage\\.ts$|host-files\\.ts$))" },
		},
		{
			name: "drivers-are-wired-in-one-place",
			severity: "error",
			from: {
				path: "^apps/node/src/(control|reconcile|placements|gateway|workspace)/",
				pathNot: wiring,
			},
			to: { path: "^apps/node/src/host/" },
		},
	],
	options: {
		doNotFollow: { path: "node_modules" },
		exclude: { path: "(^|/)(dist|node_modules)/" },
		tsPreCompilationDeps: true,
		tsConfig: { fileName: "tsconfig.base.json" },
		enhancedResolveOptions: {
			exportsFields: ["exports"],
			conditionNames: ["import", "node", "default"],
			extensions: [".ts", ".tsx", ".js", ".mjs"],
		},
	},
};
