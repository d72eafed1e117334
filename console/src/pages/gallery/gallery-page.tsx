import { getRouteApi, Link } from "@tanstack/react-router";
import { Images, RefreshCw } from "lucide-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { useLatest } from "@/api/queries";
import { Problem } from "@/components/problem";
import { Button } from "@/components/ui/button";
import { Empty, Page, Skeleton } from "@/components/ui/display";
import { number } from "@/lib/format";
import { Filters } from "@/pages/gallery/filters";
import { Grid } from "@/pages/gallery/grid";
import { SelectionBar } from "@/pages/gallery/selection-bar";
import { useGallery } from "@/pages/gallery/use-gallery";

const route = getRouteApi("/videos");

export const GalleryPage = () => {
  const { t } = useTranslation();
  const filters = route.useSearch();
  const gallery = useGallery(filters);
  const [selected, setSelected] = useState<ReadonlySet<string>>(new Set());
  const { videos } = gallery;
  const latest = useLatest();
  const filtered = Object.keys(filters).length > 0;
  const toggle = (id: string, on: boolean) => {
    const next = new Set(selected);
    if (on) next.add(id);
    else next.delete(id);
    setSelected(next);
  };
  return (
    <Page
      title={t("gallery.title")}
      hint={t("gallery.count", { count: videos.length, shown: number(videos.length), more: gallery.hasMore ? "+" : "" })}
      aside={
        gallery.newer && (
          <Button size="small" onClick={gallery.refresh}>
            <RefreshCw />
            {t("gallery.newer")}
          </Button>
        )
      }
      className="flex min-h-full flex-col"
    >
      <Filters filters={filters} />
      {gallery.error && videos.length === 0 && <Problem error={gallery.error} onRetry={gallery.refresh} />}
      {gallery.isPending && (
        <div className="grid grid-cols-2 gap-4 sm:grid-cols-3 xl:grid-cols-5">
          {Array.from({ length: 10 }, (_, index) => (
            <Skeleton key={index} className="aspect-[4/5] rounded-2xl" />
          ))}
        </div>
      )}
      {!gallery.isPending && !gallery.error && videos.length === 0 && (
        <Empty
          icon={<Images />}
          title={filtered ? t("gallery.noneFound") : t("gallery.none")}
          hint={filtered ? t("gallery.noneFoundHint") : t("gallery.noneHint")}
          action={
            <Button asChild look="primary">
              <Link to={filtered ? "/videos" : "/"} search={{}}>
                {filtered ? t("gallery.clear") : t("nav.create")}
              </Link>
            </Button>
          }
        />
      )}
      {videos.length > 0 && (
        <Grid videos={videos} selected={selected} onToggle={toggle} hasMore={gallery.hasMore} onMore={gallery.more} />
      )}
      {selected.size > 0 && (
        <SelectionBar
          videos={videos.filter(({ id }) => selected.has(id)).map(latest)}
          onAll={() => setSelected(new Set(videos.map(({ id }) => id)))}
          onNone={() => setSelected(new Set())}
          onGone={gallery.forget}
        />
      )}
    </Page>
  );
};
