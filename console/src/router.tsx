import { createRootRoute, createRoute, createRouter, lazyRouteComponent, Link } from "@tanstack/react-router";
import { Compass } from "lucide-react";
import { useTranslation } from "react-i18next";
import { Problem } from "@/components/problem";
import { Shell } from "@/components/shell";
import { Button } from "@/components/ui/button";
import { Empty, Page, Skeleton } from "@/components/ui/display";

export type From = { from?: string; as?: "remix" | "extend" | "edit" };
export type Filters = { text?: string; status?: string; model?: string };

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined);

const Nowhere = () => {
  const { t } = useTranslation();
  return (
    <Page title={t("errors.nowhere")}>
      <Empty
        icon={<Compass />}
        title={t("errors.nowhere")}
        hint={t("errors.nowhereHint")}
        action={
          <Button asChild look="primary">
            <Link to="/">{t("nav.create")}</Link>
          </Button>
        }
      />
    </Page>
  );
};

const root = createRootRoute({ component: Shell, notFoundComponent: Nowhere });

const create = createRoute({
  getParentRoute: () => root,
  path: "/",
  validateSearch: (search): From => {
    const from = textOf(search["from"]);
    const as = search["as"] === "extend" || search["as"] === "edit" ? search["as"] : "remix";
    return from ? { from, as } : {};
  },
  component: lazyRouteComponent(() => import("@/pages/create/create-page"), "CreatePage"),
});

const gallery = createRoute({
  getParentRoute: () => root,
  path: "/videos",
  validateSearch: (search): Filters => {
    const filters: Filters = {};
    for (const name of ["text", "status", "model"] as const) {
      const value = textOf(search[name]);
      if (value) filters[name] = value;
    }
    return filters;
  },
  component: lazyRouteComponent(() => import("@/pages/gallery/gallery-page"), "GalleryPage"),
});

const video = createRoute({
  getParentRoute: () => root,
  path: "/videos/$videoId",
  component: lazyRouteComponent(() => import("@/pages/video/video-page"), "VideoPage"),
});

const batch = createRoute({
  getParentRoute: () => root,
  path: "/batch",
  component: lazyRouteComponent(() => import("@/pages/batch/batch-page"), "BatchPage"),
});

const fleet = createRoute({
  getParentRoute: () => root,
  path: "/fleet",
  component: lazyRouteComponent(() => import("@/pages/fleet/fleet-page"), "FleetPage"),
});

const characters = createRoute({
  getParentRoute: () => root,
  path: "/characters",
  component: lazyRouteComponent(() => import("@/pages/access/characters-page"), "CharactersPage"),
});

const keys = createRoute({
  getParentRoute: () => root,
  path: "/keys",
  component: lazyRouteComponent(() => import("@/pages/access/keys-page"), "KeysPage"),
});

const webhooks = createRoute({
  getParentRoute: () => root,
  path: "/webhooks",
  component: lazyRouteComponent(() => import("@/pages/access/webhooks-page"), "WebhooksPage"),
});

export const router = createRouter({
  routeTree: root.addChildren([create, gallery, video, batch, fleet, characters, keys, webhooks]),
  defaultPreload: "intent",
  defaultPendingComponent: () => (
    <div className="p-8">
      <Skeleton className="h-40" />
    </div>
  ),
  defaultErrorComponent: ({ error, reset }) => (
    <div className="p-8">
      <Problem error={error} onRetry={reset} />
    </div>
  ),
  scrollRestoration: true,
});

declare module "@tanstack/react-router" {
  interface Register {
    router: typeof router;
  }
}
